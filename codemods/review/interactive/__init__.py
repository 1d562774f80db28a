"""The review of a saved plan in the terminal, group by group.

`reviewing` is what a review is and what each command does to it, pure; `commands` are what can be typed; `choosing`
says which groups are shown, `telling` what is read; `keyboard` reads keys and lines; `conversation` holds them
together. Nothing here reads the project or writes the plan: the caller hands in how that is done.
"""
