"""What each process says of itself, in a database that it writes anyway."""
