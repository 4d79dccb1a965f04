"""Damaged, odd and hostile inputs of every kind that users hand over, drawn from a seed."""
