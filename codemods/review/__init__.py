"""What people and programs read of a plan. Knows only the values of `plan`; opens no file."""
