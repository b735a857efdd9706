# Turns each line of a text into a C string of an array. (Meson alters backslashes on command lines.)
s/[\\"]/\\&/g
s/^/"/
s/$/\\n",/
