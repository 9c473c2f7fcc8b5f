"""Options and files of the commands, made into values, and the completion of the shell."""
