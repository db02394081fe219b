"""What programs get for a proof: the token endpoint with a module for each grant, and what is asked
about the tokens."""
