// Octokit, GitHub's own client, lists and fetches from the sandbox.
// Usage: node github_octokit.mjs <node_modules> <sandbox URL>
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const [place, sandbox] = process.argv.slice(2);
const { Octokit } = await import(pathToFileURL(`${place}/@octokit/rest/dist-src/index.js`).href);
const { verify } = await import(pathToFileURL(`${place}/@octokit/webhooks-methods/dist-node/index.js`).href);
const { createServer } = await import("node:http");

const form = (fields) => new URLSearchParams(fields);
const back = await fetch(`${sandbox}/github/web/login/oauth/authorize`, {
  method: "POST",
  redirect: "manual",
  body: form({
    client_id: "sandbox-client", redirect_uri: "http://localhost/callback", scope: "repo", state: "s", account: "ada", decision: "allow",
  }),
});
const code = new URL(back.headers.get("location")).searchParams.get("code");
const answer = await fetch(`${sandbox}/github/web/login/oauth/access_token`, {
  method: "POST",
  headers: { accept: "application/json" },
  body: form({ client_id: "sandbox-client", client_secret: "sandbox-secret", code }),
});
const { access_token: auth } = await answer.json();
const act = async (body) => {
  const done = await fetch(`${sandbox}/control/github/do`, { method: "POST", body: JSON.stringify(body) });
  assert.equal(done.status, 200);
  return done.json();
};

const octokit = new Octokit({ auth, baseUrl: `${sandbox}/github/api` });
const { data: user } = await octokit.rest.users.getAuthenticated();
assert.equal(user.login, "ada");
const repos = await octokit.paginate(octokit.rest.repos.listForAuthenticatedUser, { per_page: 1 });
assert.deepEqual(repos.map((repo) => repo.full_name).sort(), ["ada/notes", "lighthouse/lamp"]);
const lamp = { owner: "lighthouse", repo: "lamp" };
const { data: repo } = await octokit.rest.repos.get(lamp);

for (let n = 0; n < 7; n++) await act({ act: "openIssue", repo: repo.id, by: "ada", title: `Number ${n}`, body: `Text ${n}` });
const issues = await octokit.paginate(octokit.rest.issues.listForRepo, { ...lamp, state: "all", per_page: 3 });
assert.equal(issues.length, 11);
const pull = issues.find((issue) => issue.pull_request);
const comments = await octokit.paginate(octokit.rest.issues.listComments, { ...lamp, issue_number: 1 });
assert.equal(comments.length, 2);
const { data: reviews } = await octokit.rest.pulls.listReviews({ ...lamp, pull_number: pull.number });
assert.deepEqual(reviews.map((review) => review.state), ["CHANGES_REQUESTED", "APPROVED"]);
const { data: lines } = await octokit.rest.pulls.listReviewComments({ ...lamp, pull_number: pull.number });
assert.equal(lines[0].path, "src/lamp.rs");
const releases = await octokit.paginate(octokit.rest.repos.listReleases, lamp);
assert.equal(releases[0].tag_name, "v1.0.0");

const { data: tree } = await octokit.rest.git.getTree({ ...lamp, tree_sha: "main", recursive: "1" });
const guide = tree.tree.find((entry) => entry.path === "docs/guide.md");
const { data: blob } = await octokit.rest.git.getBlob({ ...lamp, file_sha: guide.sha });
assert.match(Buffer.from(blob.content, "base64").toString(), /Keeper's guide/);
const { data: content } = await octokit.rest.repos.getContent({ ...lamp, path: "docs/guide.md" });
assert.equal(content.sha, guide.sha);
const { data: head } = await octokit.rest.repos.getCommit({ ...lamp, ref: "main" });
await act({ act: "push", repo: repo.id, by: "ada", message: "More", texts: { "docs/more.md": "More.", "README.md": null } });
const { data: comparison } = await octokit.rest.repos.compareCommitsWithBasehead({ ...lamp, basehead: `${head.sha}...main` });
assert.equal(comparison.status, "ahead");
assert.deepEqual(comparison.files.map((file) => [file.filename, file.status]), [["docs/more.md", "added"], ["README.md", "removed"]]);

const graph = await octokit.graphql(
  `query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { discussions(first: 10, orderBy: {field: UPDATED_AT, direction: DESC}) {
     nodes { number title author { login } comments(first: 10) { nodes { body replies(first: 10) { nodes { body } } } } } } } }`,
  { owner: "lighthouse", name: "lamp" },
);
assert.equal(graph.repository.discussions.nodes[0].comments.nodes[0].replies.nodes[0].body, "And it smells better.");

// Conditional requests, and a former name.
const first = await octokit.rest.issues.listForRepo({ ...lamp, state: "all" });
const again = octokit.rest.issues.listForRepo({ ...lamp, state: "all", headers: { "if-none-match": first.headers.etag } });
await assert.rejects(again, (error) => error.status === 304);
await act({ act: "renameRepo", repo: repo.id, by: "ada", name: "lantern" });
assert.equal((await octokit.rest.repos.get(lamp)).data.full_name, "lighthouse/lantern");
await assert.rejects(octokit.rest.issues.get({ owner: "bob", repo: "secrets", issue_number: 1 }), (error) => error.status === 404);

// A hook, and a delivery whose signature GitHub's own library accepts.
const deliveries = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += piece));
  request.on("end", () => {
    deliveries.push({ headers: request.headers, body });
    response.end("ok");
  });
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const lantern = { owner: "lighthouse", repo: "lantern" };
const url = `http://127.0.0.1:${server.address().port}/hook`;
const hook = await octokit.rest.repos.createWebhook({ ...lantern, events: ["issues"], config: { url, content_type: "json", secret: "shh" } });
assert.equal(hook.status, 201);
await act({ act: "openIssue", repo: repo.id, by: "bob", title: "Heard?", body: "" });
for (let n = 0; n < 100 && deliveries.length < 2; n++) await new Promise((later) => setTimeout(later, 50));
assert.deepEqual(deliveries.map((one) => one.headers["x-github-event"]).sort(), ["issues", "ping"]);
for (const { headers, body } of deliveries) assert.ok(await verify("shh", body, headers["x-hub-signature-256"]));
assert.equal((await octokit.rest.repos.deleteWebhook({ ...lantern, hook_id: hook.data.id })).status, 204);
server.close();
console.log("all checks passed");
