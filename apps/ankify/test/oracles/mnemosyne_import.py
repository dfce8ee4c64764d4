"""Imports packages into a new Mnemosyne database, without its windows, and prints what is there after each, as JSON.

Usage: mnemosyne_import.py <directory> <package>...
"""
import json
import os
import shutil
import sys

from mnemosyne.script import Mnemosyne

directory, packages = sys.argv[1], sys.argv[2:]
answer_file, sys.stdout = sys.stdout, sys.stderr  # Mnemosyne prints its progress

mnemosyne = Mnemosyne(os.path.join(directory, "mnemosyne"))
# Only now: the module translates names while it loads.
from mnemosyne.libmnemosyne.file_formats.anki2 import Anki2  # noqa: E402

database = mnemosyne.database()
results = []
for index, package in enumerate(packages):
    # The importer unpacks beside the file.
    place = os.path.join(directory, f"import{index}")
    os.mkdir(place)
    copy = os.path.join(place, "deck.apkg")
    shutil.copy(package, copy)
    Anki2(mnemosyne.component_manager).do_import(copy)
    database.save()
    cards = [database.card(row[0], is_id_internal=True) for row in database.cards()]
    results.append({
        "facts": database.fact_count(),
        "cards": len(cards),
        "texts": {card.fact.id: [card.fact.data[key] for key in sorted(card.fact.data)] for card in cards},
        "questions": {card.id: card.question(render_chain="plain_text") for card in cards},
        "media": sorted(name for name in os.listdir(database.media_dir()) if name.endswith(".mp3")),
        "tags": sorted({tag.name for card in cards for tag in card.tags}),
    })

mnemosyne.finalise()
json.dump(results, answer_file)
