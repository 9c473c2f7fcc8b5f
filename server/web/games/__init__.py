"""Games: a hall guesses the next character, beside a network."""
