# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document, judged by a validator that is not ours."""

import json
import os
import subprocess

import pytest
import requests


@pytest.fixture(scope="module", params=["native", "privacy"])
def document(request, env):
    reply = requests.get(f"{env.url}/openapi.json?dialect={request.param}",
                         verify=env.ca, timeout=10)
    assert reply.status_code == 200
    return reply.json()


@pytest.fixture
def judge(tmp_path):
    validator = os.path.join(os.environ["CARDSTOCK_NODE_MODULES"], ".bin",
                             "validate-api")

    def judged(document):
        path = tmp_path / "openapi.json"
        path.write_text(json.dumps(document))
        done = subprocess.run([validator, str(path)], capture_output=True,
                              text=True, timeout=60, check=False)
        return json.loads(done.stdout)

    return judged


def test_the_document_is_valid(document, judge):
    assert judge(document) == {"valid": True}


def test_the_judge_bites(document, judge):
    del document["paths"]["/v1/cards"]["get"]["responses"]
    document["paths"]["/v1/cards"]["get"]["parameters"][0].pop("name")
    assert judge(document)["valid"] is False


def test_the_credential_chooses_the_document(env, stack):
    def title(query="", **headers):
        reply = stack.send("GET", "/v1/openapi.json" + query, headers)
        assert reply.status == 200
        return list(reply["components"]["securitySchemes"])

    key = {"Authorization": f"api-key {env.privacy_key}"}
    assert title() == ["bearer"]
    assert title(**key) == ["apiKey"]
    assert title("?dialect=privacy") == ["apiKey"]
    assert title("?dialect=native", **key) == ["bearer"]
