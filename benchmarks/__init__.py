"""How long the tool takes, and what of the machine it takes, beside other tools on the same trees."""
