"""The stories of the lanes once more, with items and messages as a later version may have left them."""
