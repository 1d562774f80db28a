"""Small applications that are run on a database before and after the tool has changed them."""
