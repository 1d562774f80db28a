"""What is run later and what it is given: the sites of a project, and what the functions do that are run there."""
