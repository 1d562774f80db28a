"""Code that a project asks for, added to it: each scaffold is a plan with one group, shown and applied like others."""
