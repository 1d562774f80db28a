"""The rule of the ledger for comments that suppress nothing. It is none of the code; reports set it apart."""

UNUSED = "unused-suppression"
