"""An agent on the protocol's own library: it echoes, asks before an edit, or fails."""

import asyncio
from typing import Any

import acp
from acp import schema


class Echo(acp.Agent):
    def on_connect(self, connection: Any) -> None:
        self._client = connection

    async def initialize(self, protocol_version: int, **_: Any) -> acp.InitializeResponse:
        return acp.InitializeResponse(
            protocol_version=protocol_version,
            agent_capabilities=schema.AgentCapabilities(load_session=True),
            agent_info=schema.Implementation(name="echo", version="1.2.3"),
        )

    async def new_session(self, cwd: str, **_: Any) -> acp.NewSessionResponse:
        self._folder = cwd
        return acp.NewSessionResponse(session_id="s1")

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> acp.LoadSessionResponse:
        self._folder = cwd
        await self._say(session_id, "what was said before")
        return acp.LoadSessionResponse()

    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> acp.PromptResponse:
        asked = prompt[0].text
        if asked == "fail":
            raise acp.RequestError(-32603, "429 Too Many Requests")
        if asked == "edit":
            await self._say(session_id, await self._asks(session_id))
        else:
            await self._say(session_id, asked)
            await self._say(session_id, f", in {self._folder}")
        usage = schema.Usage(input_tokens=3, output_tokens=4, total_tokens=7)
        return acp.PromptResponse(stop_reason="end_turn", usage=usage)

    async def _asks(self, session_id: str) -> str:
        response = await self._client.request_permission(
            session_id=session_id,
            tool_call=schema.ToolCallUpdate(
                tool_call_id="a",
                kind="edit",
                locations=[schema.ToolCallLocation(path=f"{self._folder}/a.py")],
            ),
            options=[
                schema.PermissionOption(option_id="yes", name="Yes", kind="allow_once"),
                schema.PermissionOption(option_id="no", name="No", kind="reject_once"),
            ],
        )
        return str(response.outcome.option_id)

    async def _say(self, session_id: str, text: str) -> None:
        await self._client.session_update(session_id, acp.update_agent_message_text(text))


if __name__ == "__main__":
    asyncio.run(acp.run_agent(Echo()))
