"""Looking after a database from outside: which server it is, what is wrong, what is missing."""
