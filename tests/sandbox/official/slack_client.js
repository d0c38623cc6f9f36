// Slack's own client library against a running sandbox, and its types against what the sandbox answers and sends.
//
//     NODE_PATH=<node_modules with @slack/web-api, @slack/types and typescript> node slack_client.js http://localhost:4600
//
// Goes through the consent page, lists, pages, reads threads and files, refreshes, revokes, and receives events. Every answer and event is
// written down as a constant of the type that Slack gives it, and the compiler says what does not fit. Resets the sandbox to its
// sample content first. Ends with a non-zero code when something is not as Slack would have it.
"use strict"

const assert = require("node:assert/strict")
const crypto = require("node:crypto")
const fs = require("node:fs")
const http = require("node:http")
const os = require("node:os")
const path = require("node:path")
const ts = require("typescript")
const { WebClient } = require("@slack/web-api")

const RETURN = "http://localhost/callback"
const SECRET = "sandbox-signing-secret"
const SCOPES = "channels:read,channels:history,groups:read,groups:history,im:read,im:history,mpim:read,mpim:history,users:read,users:read.email,files:read,team:read"
const base = process.argv[2].replace(/\/$/, "")
const modules = process.env.NODE_PATH
const constants = []

/** A value as a constant of a type. */
function noted(type, value) {
  constants.push(`const _${constants.length}: ${type} = ${JSON.stringify(value, null, 1)}`)
  return value
}

/** An answer as a constant of its type: as it came over the wire, without what the client adds. */
function answer(type, value) {
  const { response_metadata: metadata, ...rest } = value
  const { scopes: _, acceptedScopes: __, ...kept } = metadata ?? {}
  return noted(`api.${type}`, metadata && Object.keys(kept).length > 0 ? { ...rest, response_metadata: kept } : rest) && value
}

async function control(method, where, body) {
  const response = await fetch(`${base}/control/${where}`, {
    method,
    headers: { "content-type": "application/json" },
    body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
  })
  const said = await response.json()
  assert.ok(response.ok, `${method} ${where}: ${response.status} ${JSON.stringify(said)}`)
  return said
}

function client(token) {
  return new WebClient(token, {
    slackApiUrl: `${base}/slack/api/`,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logLevel: "error",
  })
}

async function consent(asked) {
  const fields = { client_id: "sandbox-client", redirect_uri: RETURN, state: "s t&te", ...asked }
  const address = `${base}/slack/oauth/v2/authorize`
  const page = await fetch(`${address}?${new URLSearchParams(fields)}`)
  assert.equal(page.status, 200)
  const form = new URLSearchParams({ ...fields, account: "ada@example.com", decision: "allow" })
  const decided = await fetch(address, { method: "POST", body: form, redirect: "manual" })
  assert.equal(decided.status, 302)
  const back = new URL(decided.headers.get("location")).searchParams
  assert.equal(back.get("state"), "s t&te")
  return back.get("code")
}

const app = { client_id: "sandbox-client", client_secret: "sandbox-secret" }

async function connect(asked) {
  const code = await consent(asked ?? { scope: SCOPES })
  const granted = await client().oauth.v2.access({ ...app, code, redirect_uri: RETURN })
  await refused(client().oauth.v2.access({ ...app, code, redirect_uri: RETURN }), "code_already_used")
  return answer("OauthV2AccessResponse", granted)
}

async function refused(call, error) {
  await assert.rejects(call, (thrown) => {
    assert.equal(thrown.data?.error, error, thrown)
    return true
  })
}

async function checkOauth() {
  const bot = await connect()
  assert.ok(bot.access_token.startsWith("xoxb-") && bot.refresh_token === undefined, "without rotation there is nothing to refresh")
  assert.equal(bot.team.id, "T0ACME")
  assert.equal((await connect()).access_token, bot.access_token, "a bot has one token in a workspace")
  const user = await connect({ user_scope: SCOPES })
  assert.ok(user.access_token === undefined && user.authed_user.access_token.startsWith("xoxp-"))
  await refused(client().oauth.v2.access({ ...app, code: "nonsense" }), "invalid_code")
  await refused(client().oauth.v2.access({ ...app, client_secret: "wrong", code: "nonsense" }), "bad_client_secret")

  await control("POST", "slack/settings", { rotation: true })
  const rotating = await connect()
  assert.ok(rotating.access_token.startsWith("xoxe.xoxb-") && rotating.expires_in === 43200)
  const again = { ...app, grant_type: "refresh_token", refresh_token: rotating.refresh_token }
  const fresh = answer("OauthV2AccessResponse", await client().oauth.v2.access(again))
  assert.notEqual(fresh.access_token, rotating.access_token)
  await refused(client().oauth.v2.access(again), "invalid_refresh_token")
  await control("POST", "slack/tokens", { expire: true })
  await refused(client(fresh.access_token).auth.test(), "token_expired")
  await control("POST", "slack/settings", { rotation: false })

  const few = await connect({ user_scope: "channels:read" })
  const limited = client(few.authed_user.access_token)
  await refused(client("xoxb-nonsense").auth.test(), "invalid_auth")
  await control("POST", "slack/tokens", { revoke: true })
  await refused(limited.auth.test(), "token_revoked")
  return (await connect()).access_token
}

async function all(pages, field) {
  const found = []
  for await (const page of pages) found.push(...page[field])
  return found
}

async function checkReading(slack, token) {
  const me = answer("AuthTestResponse", await slack.auth.test())
  assert.equal(me.team_id, "T0ACME")
  answer("TeamInfoResponse", await slack.team.info())
  const types = "public_channel,private_channel,mpim,im"
  const mine = await all(slack.paginate("users.conversations", { types, limit: 2 }), "channels")
  assert.deepEqual(mine.map((one) => one.id).sort(), ["C0BUILDS", "C0GENERAL", "C0PLANS"])
  const seen = await all(slack.paginate("conversations.list", { types, limit: 2 }), "channels")
  assert.ok(seen.some((one) => one.id === "C0LOUNGE" && one.is_member === false) && !seen.some((one) => one.id === "C0BOARD"))
  answer("UsersConversationsResponse", await slack.users.conversations({ types, limit: 1 }))
  answer("ConversationsListResponse", await slack.conversations.list({ types }))
  answer("ConversationsInfoResponse", await slack.conversations.info({ channel: "C0PLANS" }))
  await refused(slack.conversations.info({ channel: "C0BOARD" }), "channel_not_found")
  await refused(slack.conversations.history({ channel: "C0LOUNGE" }), "not_in_channel")

  const history = answer("ConversationsHistoryResponse", await slack.conversations.history({ channel: "C0GENERAL" }))
  const stamps = history.messages.map((one) => one.ts)
  assert.deepEqual(stamps, [...stamps].sort().reverse(), "the newest first")
  assert.ok(history.messages.every((one) => !one.thread_ts || one.thread_ts === one.ts), "no replies")
  const paged = await all(slack.paginate("conversations.history", { channel: "C0GENERAL", limit: 1 }), "messages")
  assert.deepEqual(paged.map((one) => one.ts), stamps)
  const parent = history.messages.find((one) => one.reply_count)
  const thread = answer("ConversationsRepliesResponse", await slack.conversations.replies({ channel: "C0GENERAL", ts: parent.ts }))
  assert.equal(thread.messages.length, parent.reply_count + 1)
  assert.equal(thread.messages.at(-1).ts, parent.latest_reply)
  const byOne = await all(slack.paginate("conversations.replies", { channel: "C0GENERAL", ts: parent.ts, limit: 1 }), "messages")
  assert.deepEqual(byOne.map((one) => one.ts), thread.messages.map((one) => one.ts))
  const one = await slack.conversations.history({ channel: "C0GENERAL", latest: stamps[1], oldest: stamps[1], inclusive: true, limit: 1 })
  assert.deepEqual(one.messages.map((it) => it.ts), [stamps[1]])
  const newer = await slack.conversations.history({ channel: "C0GENERAL", oldest: stamps[1] })
  assert.deepEqual(newer.messages.map((it) => it.ts), stamps.slice(0, 1), "the bounds are outside unless they are asked in")
  answer("ConversationsHistoryResponse", await slack.conversations.history({ channel: "C0BUILDS" }))
  await refused(slack.conversations.replies({ channel: "C0GENERAL", ts: "1.000000" }), "thread_not_found")
  const cursor = (await slack.conversations.history({ channel: "C0GENERAL", limit: 1 })).response_metadata.next_cursor
  await refused(slack.conversations.history({ channel: "C0BUILDS", limit: 1, cursor }), "invalid_cursor")
  await control("POST", "slack/expire-cursors")
  await refused(slack.conversations.history({ channel: "C0GENERAL", limit: 1, cursor }), "invalid_cursor")

  const people = answer("UsersListResponse", await slack.users.list())
  const ada = people.members.find((one) => one.profile.email === "ada@example.com")
  answer("UsersInfoResponse", await slack.users.info({ user: ada.id }))
  await refused(slack.users.info({ user: "U0NOBODY" }), "user_not_found")

  const files = answer("FilesListResponse", await slack.files.list({ count: 1 }))
  assert.deepEqual([files.paging.pages, files.files.length], [2, 1])
  const minutes = (await slack.files.list()).files.find((one) => one.name === "minutes.txt")
  const { file } = answer("FilesInfoResponse", await slack.files.info({ file: minutes.id }))
  const address = file.url_private_download.replace("https://files.slack.com", `${base}/slack/files`)
  const got = await fetch(address, { headers: { authorization: `Bearer ${token}` } })
  assert.ok((await got.text()).startsWith("Minutes of the meeting"))
  const shut = await fetch(address)
  assert.ok(shut.status === 200 && shut.headers.get("content-type").startsWith("text/html"), "a page to sign in at")
  await refused(slack.files.info({ file: "F0NOTHING" }), "file_not_found")

  await control("POST", "slack/settings", { tiers: "restricted" })
  const page = await slack.conversations.history({ channel: "C0GENERAL", limit: 100 })
  assert.ok(page.messages.length <= 15)
  await assert.rejects(slack.conversations.history({ channel: "C0GENERAL" }), (thrown) => thrown.retryAfter > 50)
  await slack.conversations.replies({ channel: "C0GENERAL", ts: parent.ts })
  await control("POST", "slack/settings", { tiers: "off" })
}

/** A server that receives events. What it answers is `answering`. */
async function receiver() {
  const received = []
  const inbox = { received, answering: () => 200 }
  const server = http.createServer((request, response) => {
    const pieces = []
    request.on("data", (piece) => pieces.push(piece))
    request.on("end", () => {
      const body = Buffer.concat(pieces).toString()
      const stamp = request.headers["x-slack-request-timestamp"]
      const mac = crypto.createHmac("sha256", SECRET).update(`v0:${stamp}:${body}`).digest("hex")
      assert.equal(request.headers["x-slack-signature"], `v0=${mac}`)
      assert.ok(Math.abs(Date.now() / 1000 - Number(stamp)) < 300)
      const json = JSON.parse(body)
      received.push({ json, headers: request.headers })
      response.statusCode = inbox.answering(json)
      response.end(json.type === "url_verification" ? inbox.challenge?.(json.challenge) ?? json.challenge : "")
    })
  })
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening))
  inbox.url = `http://127.0.0.1:${server.address().port}/hook`
  inbox.close = () => server.close()
  inbox.wait = async (what, fits) => {
    for (let tries = 0; tries < 500; tries += 1) {
      const found = received.find((one) => one.json.event && fits(one.json.event))
      if (found) return found
      await new Promise((later) => setTimeout(later, 20))
    }
    throw new Error(`no event: ${what}; came: ${received.map((one) => JSON.stringify(one.json.event)).join("\n")}`)
  }
  return inbox
}

async function checkEvents() {
  const inbox = await receiver()
  inbox.challenge = () => "something else"
  const wrong = await fetch(`${base}/control/slack/app`, { method: "POST", body: JSON.stringify({ requestUrl: inbox.url }) })
  assert.equal(wrong.status, 422, "an address that does not know the challenge is not saved")
  inbox.challenge = undefined
  await control("POST", "slack/app", { requestUrl: inbox.url })

  const channel = "C0GENERAL"
  const post = async (body) => (await control("POST", "slack/messages", { channel, ...body })).ts
  const event = async (type, what, fits) => {
    const { json } = await inbox.wait(what, fits)
    assert.equal(json.type, "event_callback")
    assert.deepEqual([json.team_id, json.authorizations[0].team_id], ["T0ACME", "T0ACME"])
    // What the types promise of messages inside of messages is more than Slack sends.
    const { message: _, previous_message: __, root: ___, ...flat } = json.event
    const isPlain = json.event.type === "message" && json.event.subtype === undefined
    const loose = `Partial<Pick<events.${type}, Extract<"message" | "previous_message" | "root" | "client_msg_id", keyof events.${type}>>>`
    const strict = `Omit<events.${type}, "message" | "previous_message" | "root" | "client_msg_id">`
    const more = new Set(["parent_user_id", "reply_count", "reply_users", "reply_users_count", "latest_reply", "is_locked", "subscribed", "team", "edited"])
    const isMessage = json.event.type === "message"
    const known = Object.fromEntries(Object.entries(flat).filter(([name]) => !isMessage || !more.has(name)))
    // Files inside of events have a type of their own, which knows less than that of the API.
    known.files = known.files?.map(({ ims: _, timestamp: __, updated: ___, ...file }) => file)
    constants.push(`const _${constants.length}: ${strict} & ${loose} = ${JSON.stringify(known, null, 1).replace(/\}$/, isPlain ? ', "subtype": undefined }' : "}")}`)
    return json.event
  }
  const first = await post({ text: "an event" })
  await event("GenericMessageEvent", "a message", (it) => it.ts === first)
  const reply = await post({ text: "a reply", threadTs: first })
  await event("GenericMessageEvent", "a reply", (it) => it.ts === reply && it.thread_ts === first)
  const broadcast = await post({ text: "for all", threadTs: first, broadcast: true })
  const told = await event("ThreadBroadcastMessageEvent", "a broadcast", (it) => it.ts === broadcast)
  assert.equal(told.root.ts, first)
  await post({ text: "from a bot", username: "Builder" }).then((ts) => event("BotMessageEvent", "a bot", (it) => it.ts === ts))
  await control("PATCH", `slack/messages/${channel}/${first}`, { text: "edited" })
  const edited = await inbox.wait("an edit", (it) => it.subtype === "message_changed" && it.message.ts === first)
  assert.equal(edited.json.event.previous_message.text, "an event")
  assert.notEqual(edited.json.event.ts, first, "its own ts is the event's")
  await event("MessageChangedEvent", "an edit", (it) => it.subtype === "message_changed" && it.message.ts === first)
  await control("DELETE", `slack/messages/${channel}/${reply}`)
  await event("MessageDeletedEvent", "a deletion", (it) => it.deleted_ts === reply)
  await control("DELETE", `slack/messages/${channel}/${first}`)
  await inbox.wait("a tombstone", (it) => it.subtype === "message_changed" && it.message.subtype === "tombstone")

  const { id } = await control("POST", "slack/files", { channels: [channel], name: "a.txt", text: "a" })
  await event("FileShareMessageEvent", "a message with a file", (it) => it.subtype === "file_share" && it.files[0].id === id)
  await event("FileSharedEvent", "a shared file", (it) => it.type === "file_shared" && it.file_id === id)
  await control("PATCH", `slack/files/${id}`, { text: "b" })
  await event("FileChangeEvent", "a changed file", (it) => it.type === "file_change")
  await control("DELETE", `slack/files/${id}`)
  await event("FileDeletedEvent", "a deleted file", (it) => it.type === "file_deleted")

  const made = await control("POST", "slack/channels", { workspace: "T0ACME", name: "passing", app: true })
  await event("MemberJoinedChannelEvent", "an invitation", (it) => it.type === "member_joined_channel" && it.channel === made.id)
  await control("PATCH", `slack/channels/${made.id}`, { name: "renamed" })
  await event("ChannelRenameEvent", "a rename", (it) => it.type === "channel_rename")
  await control("PATCH", `slack/channels/${made.id}`, { archived: true })
  await event("ChannelArchiveEvent", "an archived channel", (it) => it.type === "channel_archive")
  await control("PATCH", `slack/channels/${made.id}`, { archived: false })
  await event("ChannelUnarchiveEvent", "an opened channel", (it) => it.type === "channel_unarchive")
  await control("PATCH", `slack/channels/${made.id}`, { app: false })
  await event("MemberLeftChannelEvent", "a leave", (it) => it.type === "member_left_channel")
  await control("PATCH", `slack/channels/${made.id}`, { app: true })
  await control("DELETE", `slack/channels/${made.id}`)
  await event("ChannelDeletedEvent", "a deleted channel", (it) => it.type === "channel_deleted")

  // Three more attempts after the first, under the same id, each saying why.
  await control("POST", "slack/settings", { webhookRetryMs: 30 })
  inbox.answering = () => 500
  const lost = await post({ text: "nobody takes this" })
  const attempts = () => inbox.received.filter((one) => one.json.event?.ts === lost)
  for (let tries = 0; attempts().length < 4 && tries < 500; tries += 1) await new Promise((later) => setTimeout(later, 20))
  assert.deepEqual(attempts().map((one) => one.headers["x-slack-retry-num"]), [undefined, "1", "2", "3"])
  assert.equal(attempts()[1].headers["x-slack-retry-reason"], "http_error")
  assert.equal(new Set(attempts().map((one) => one.json.event_id)).size, 1)
  inbox.answering = () => 200

  await control("POST", "slack/workspaces/T0ACME/uninstall")
  await event("AppUninstalledEvent", "an uninstallation", (it) => it.type === "app_uninstalled")
  await event("TokensRevokedEvent", "revoked tokens", (it) => it.type === "tokens_revoked")
  const marks = inbox.received.length
  await post({ text: "unheard" })
  await new Promise((later) => setTimeout(later, 300))
  assert.equal(inbox.received.length, marks, "an app that is not installed hears nothing")
  inbox.close()
}

function checkTypes() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "slack-types-"))
  const file = path.join(folder, "answers.ts")
  const imports = [
    `import type * as api from ${JSON.stringify(path.join(modules, "@slack/web-api"))}`,
    `import type * as events from ${JSON.stringify(path.join(modules, "@slack/types"))}`,
  ]
  fs.writeFileSync(file, [...imports, ...constants, "export {}"].join("\n"))
  const program = ts.createProgram([file], {
    strict: true,
    // Slack's reference has nulls (an enterprise that there is none of) where its types have nothing.
    strictNullChecks: false,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    types: [],
  })
  const wrong = ts.getPreEmitDiagnostics(program)
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => folder, getNewLine: () => "\n" }
  const lines = wrong.slice(0, 5).map((one) => one.file?.text.slice(one.start - 400, one.start + 100))
  assert.equal(wrong.length, 0, ts.formatDiagnostics(wrong, host) + lines.join("\n…\n"))
  fs.rmSync(folder, { recursive: true })
  assert.ok(constants.length > 30)
}

async function main() {
  await control("POST", "reset", { demo: true })
  const token = await checkOauth()
  await checkReading(client(token), token)
  await checkEvents()
  checkTypes()
  console.log("all checks passed")
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
