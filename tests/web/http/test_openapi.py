"""The OpenAPI description is computed once."""

import asyncio
import json

import httpx

from server.settings import Settings
from server.web.app import create_app
from server.web.http.openapi import PATH


def test_the_description_is_computed_once(tmp_path, monkeypatch):
    app = create_app(Settings(data_dir=tmp_path))
    plain, made = app.openapi, []

    def counted():
        made.append(plain())
        return made[-1]

    monkeypatch.setattr(app, "openapi", counted)

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            at_once = await asyncio.gather(*(client.get(PATH) for _ in range(50)))
            return [*at_once, await client.get(PATH)]

    answers = asyncio.run(ask())
    assert len(made) == 1
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].headers["content-type"] == "application/json"
    described = json.loads(answers[0].content)
    assert described["openapi"].startswith("3.")
    assert PATH not in described["paths"]
    assert "429" in described["paths"]["/api/runs"]["get"]["responses"]
