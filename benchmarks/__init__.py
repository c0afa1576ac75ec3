"""Tables and figures of the papers, measured again: each file makes one, and carries what it expects."""
