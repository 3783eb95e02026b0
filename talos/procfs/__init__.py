"""What Linux tells of the machine under /proc and /sys, in Talos's messages: text in, values out."""
