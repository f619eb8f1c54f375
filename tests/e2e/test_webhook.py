# SPDX-License-Identifier: Apache-2.0
"""A web server that is told of incidents: signed, in order, again if it fails."""

import hashlib
import hmac
import http.server
import json
import os
import threading

from harness import E2eTest, PATIENCE, main, wait_for

SECRET = "a secret of the test"


class Hook(http.server.ThreadingHTTPServer):
    """Keeps what it is told; answers with the next of `answers`, then with 204."""

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.answers = []
        self.posts = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook?token=hidden"

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.server.posts.append((status, dict(self.headers), body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class WebhookTest(E2eTest):
    def start(self, hook, disk):
        secret = os.path.join(self.folder, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write(SECRET + "\n")
        return self.agent([disk], config={"alert": {"subscribers": [hook.url], "secret_file": secret},
                                   "incident": {"quiet_after": "2s"}})

    def hook(self, port=0):
        hook = Hook(port)
        self.addCleanup(hook.close)
        return hook

    def subscriber(self, agent):
        return agent.status()["subscribers"][0]

    def test_told_in_order_and_signed(self):
        hook = self.hook()
        disk = self.disk()
        agent = self.start(hook, disk)
        disk.lose_and_fail()
        wait_for(lambda: len(hook.posts) == 3, "three posts", PATIENCE)
        told = [(headers["X-FFDC-Event"], json.loads(body)) for _, headers, body in hook.posts]
        self.assertEqual([event for event, _ in told], ["incident.opened", "incident.captured", "incident.closed"])
        incident = agent.incidents()[0]
        for (event, body), (_, headers, raw) in zip(told, hook.posts):
            self.assertEqual(body["event"], event)
            self.assertEqual((body["incident"]["id"], body["incident"]["kind"]), (incident["id"], "io.error"))
            signed = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
            self.assertEqual(headers["X-FFDC-Signature"], "sha256=" + signed)
        self.assertEqual(len({headers["X-FFDC-Delivery"] for _, headers, _ in hook.posts}), 3)
        self.assertEqual(told[1][1]["incident"]["captures"][0]["state"], "STORED")
        wait_for(lambda: int(self.subscriber(agent)["delivered"]) == 3, "three deliveries counted", PATIENCE)
        self.assertNotIn("hidden", agent.log())

    def test_tried_again_and_given_up(self):
        hook = self.hook()
        hook.answers = [503, 204, 400]
        disk = self.disk()
        agent = self.start(hook, disk)
        disk.lose_and_fail()
        wait_for(lambda: len(hook.posts) == 4, "a repeated and two more posts", PATIENCE)
        self.assertEqual([status for status, _, _ in hook.posts], [503, 204, 400, 204])
        deliveries = [headers["X-FFDC-Delivery"] for _, headers, _ in hook.posts]
        self.assertEqual(deliveries[0], deliveries[1])
        wait_for(lambda: int(self.subscriber(agent)["delivered"]) == 2, "two deliveries counted", PATIENCE)
        self.assertEqual(int(self.subscriber(agent)["dropped"]), 1)

    def test_a_server_that_is_away(self):
        hook = Hook()
        port = hook.server_address[1]
        hook.close()
        disk = self.disk()
        agent = self.start(hook, disk)
        disk.lose_and_fail()
        agent.wait_stored(1)  # nobody waits for it
        wait_for(lambda: any("is not told" in problem for problem in agent.status()["problems"]), "a problem", PATIENCE)
        back = self.hook(port)
        wait_for(lambda: len(back.posts) == 3, "all posts", PATIENCE)
        wait_for(lambda: not agent.status()["problems"], "no problem", PATIENCE)


if __name__ == "__main__":
    main()
