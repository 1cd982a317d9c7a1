"""A browser as the auth wire sees it: it keeps cookies, and holds the access token of the last answer that had one."""

from typing import Any

import httpx2

PASSWORD = "correct horse battery"


class Browser:
    """One browser of one person."""

    def __init__(self, http: httpx2.AsyncClient, user_agent: str = "Firefox") -> None:
        self.http = http
        self.http.headers["user-agent"] = user_agent
        self.access = ""

    async def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx2.Response:
        """Post JSON below ``/auth``."""
        answer = await self.http.post(f"/auth/{path}", json=body, headers={**self._bearer(), **headers})
        return self._noted(answer)

    async def get(self, path: str) -> httpx2.Response:
        """Get something with the access token."""
        return await self.http.get(path, headers=self._bearer())

    async def delete(self, path: str) -> httpx2.Response:
        """Delete something with the access token."""
        return await self.http.delete(path, headers=self._bearer())

    async def register(self, email: str, password: str = PASSWORD, **more: str) -> httpx2.Response:
        """Register where the token is in the answer, and sign in."""
        pending = await self.post("register", {"email": email, "password": password, **more})
        assert pending.status_code == 200, pending.text
        return await self.post("verify", {"token": pending.json()["token"]})

    async def login(self, email: str, password: str = PASSWORD, **more: str) -> httpx2.Response:
        """Sign in."""
        return await self.post("login", {"email": email, "password": password, **more})

    @property
    def refresh_token(self) -> str:
        """Return the refresh cookie."""
        return str(self.http.cookies.get("refresh_id", ""))

    @refresh_token.setter
    def refresh_token(self, value: str) -> None:
        self.http.cookies.clear()
        self.http.cookies.set("refresh_id", value, domain=self.http.base_url.host, path="/auth")

    def _bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access}"} if self.access else {}

    def _noted(self, answer: httpx2.Response) -> httpx2.Response:
        if "access_token" in answer.text:
            self.access = answer.json()["access_token"]
        return answer
