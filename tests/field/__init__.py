"""The field trial: the tool over packages that people really published."""
