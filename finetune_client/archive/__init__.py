"""What an account holds, kept in a folder; so far, how the folder of a job is laid out."""
