"""What `manage.py up` is made of, apart from the data that it prepares: checks and processes."""
