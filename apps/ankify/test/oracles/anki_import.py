"""Imports packages into a new collection with Anki's own library and prints, as JSON, what it says and what is then there.

Usage: anki_import.py <directory> <step>...   a step is a package, or edit:<guid>=<text> for an edit by the learner,
review:<guid> for a reviewed card, or suspend:<guid> for cards that the learner put aside.
"""
import hashlib
import json
import os
import sys
import time

from anki.collection import Collection, ImportAnkiPackageOptions, ImportAnkiPackageRequest

directory, steps = sys.argv[1], sys.argv[2:]
col = Collection(os.path.join(directory, "learner.anki2"))


def snapshot():
    notes = []
    for nid, guid, mid, mod, tags, flds, sfld, csum in col.db.all(
        "select id, guid, mid, mod, tags, flds, cast(sfld as text), csum from notes order by id"
    ):
        cards = []
        for cid in col.db.list("select id from cards where nid = ? order by ord", nid):
            card = col.get_card(cid)
            out = card.render_output()
            cards.append({
                "id": cid,
                "ord": card.ord,
                "due": card.due,
                "type": card.type,
                "reps": card.reps,
                "queue": card.queue,
                "deck": col.decks.name(card.did),
                "question": out.question_text,
                "answer": out.answer_text,
                "speech": [[tag.lang, tag.field_text] for tag in out.question_av_tags if hasattr(tag, "lang")],
                "answer_speech": [[tag.lang, tag.field_text] for tag in out.answer_av_tags if hasattr(tag, "lang")],
                "sounds": [tag.filename for tag in out.question_av_tags if hasattr(tag, "filename")],
                "answer_sounds": [tag.filename for tag in out.answer_av_tags if hasattr(tag, "filename")],
            })
        notes.append({
            "id": nid, "guid": guid, "noteType": col.models.get(mid)["name"], "mod": mod, "tags": tags.split(),
            "fields": flds.split("\x1f"), "sortField": sfld, "checksum": csum, "cards": cards,
        })
    return notes


def note_of(guid):
    return col.get_note(col.db.scalar("select id from notes where guid = ?", guid))


results = []
for step in steps:
    if step.startswith("edit:"):
        guid, text = step[5:].split("=", 1)
        note = note_of(guid)
        note.fields[1] = text
        col.update_note(note)
        continue
    if step.startswith("review:"):
        card = note_of(step[7:]).cards()[0]
        card.start_timer()
        col.sched.answerCard(card, 3)
        continue
    if step.startswith("suspend:"):
        col.sched.suspend_cards([card.id for card in note_of(step[8:]).cards()])
        continue
    log = col.import_anki_package(
        ImportAnkiPackageRequest(package_path=step, options=ImportAnkiPackageOptions())
    ).log
    results.append({
        name: len(getattr(log, name))
        for name in ("new", "updated", "duplicate", "conflicting", "missing_notetype", "missing_deck", "empty_first_field")
    })

media = {}
for name in sorted(os.listdir(col.media.dir())):
    with open(os.path.join(col.media.dir(), name), "rb") as file:
        media[name] = hashlib.sha256(file.read()).hexdigest()
unused = col.media.check()
check, ok = col.fix_integrity()
decks = sorted(deck.name for deck in col.decks.all_names_and_ids())
note_types = sorted(name.name for name in col.models.all_names_and_ids() if name.name.startswith("Ankify"))
print(json.dumps({
    "imports": results, "integrity": ok, "check": check, "decks": decks, "noteTypes": note_types, "notes": snapshot(),
    "media": media, "unusedMedia": list(unused.unused), "missingMedia": list(unused.missing),
}))
col.close()
