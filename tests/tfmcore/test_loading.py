"""What torch brings is never searched for garbage; what comes afterwards is."""

import subprocess
import sys

PROGRAM = """
import gc
from tfmcore.loading import loading

with loading():
    import json
assert gc.isenabled()
assert gc.get_freeze_count() == 0, "what else is loaded is little, and its garbage is some"
with loading():
    import torch
    assert not gc.isenabled()
assert gc.isenabled()
kept = gc.get_freeze_count()
assert kept > 100_000
with loading():
    assert gc.isenabled(), "torch is there already"
assert gc.get_freeze_count() == kept

class Node: ...

import weakref
node = Node()
node.itself, seen = node, weakref.ref(node)
del node
gc.collect()
assert seen() is None
print("done")
"""


def test_only_what_is_loaded_is_left_alone():
    assert subprocess.check_output([sys.executable, "-c", PROGRAM], text=True).strip() == "done"


def test_a_failed_import_leaves_the_search_on():
    program = """
import gc
from tfmcore.loading import loading
try:
    with loading():
        import no_such_module
except ImportError:
    print(gc.isenabled())
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "True"
