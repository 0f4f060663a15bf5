# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON of real reports keeps to the schema in the tree, and the schema is not empty words."""

import copy
import json
import os
import unittest

import jsonschema

import common

SCHEMA = os.path.join(common.SOURCE, "analysis", "report", "report.schema.json")


class SchemaTest(common.IntegrationTest):

    @classmethod
    def setUpClass(cls):
        with open(SCHEMA, encoding="utf-8") as text:
            cls.schema = json.load(text)
        cls.validator = jsonschema.validators.validator_for(cls.schema)
        cls.validator.check_schema(cls.schema)

    def errors(self, document):
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
                for error in self.validator(self.schema).iter_errors(document)]

    def report(self, scenario):
        return common.Report(common.play(scenario, f"schema-{scenario}").trace).json

    def test_healthy_and_faulty_reports(self):
        for scenario in ("short", "map-pipelined", "refusals"):
            with self.subTest(scenario=scenario):
                document = self.report(scenario)
                self.assertEqual(self.errors(document), [])
                self.assertRegex(document["schema_version"], r"^\d+\.\d+$")

    def test_every_part_is_asked_for(self):
        document = self.report("map-pipelined")
        self.assertTrue(document["findings"])
        for path in (["schema_version"], ["counts"], ["findings"], ["trace"],
                     ["counts", "mappings_created"],
                     *(["findings", 0, key]
                       for key in ("id", "certainty", "process", "device", "witness"))):
            broken = copy.deepcopy(document)
            place = broken
            for key in path[:-1]:
                place = place[key]
            del place[path[-1]]
            self.assertTrue(self.errors(broken), f"a report without {path} passes")
        broken = copy.deepcopy(document)
        broken["findings"][0]["certainty"] = "perhaps"
        self.assertTrue(self.errors(broken), "an unknown certainty passes")


if __name__ == "__main__":
    unittest.main(verbosity=2)
