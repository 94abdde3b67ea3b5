"""Prints whether the offsets that the stack reader knows of this version are right, as JSON."""

import json

import stackreader_module

print(json.dumps(stackreader_module.known()))
