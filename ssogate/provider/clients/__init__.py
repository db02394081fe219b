"""The programs themselves: how they prove who they are, register, and are administered."""
