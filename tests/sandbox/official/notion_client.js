// Notion's own client against a running sandbox.
//
//     NODE_PATH=<node_modules with @notionhq/client> node notion_client.js http://localhost:4600
//
// Goes through the consent page, then reads everything as a stranger would who knows the client's documentation only: users, search,
// pages, properties, databases, data sources, blocks at any depth, comments; refreshes, is refused, receives webhooks and verifies them with
// the client's own function. Resets the sandbox to its sample content first. Ends with a non-zero code when something is not as
// Notion would answer it.
"use strict"

const assert = require("node:assert/strict")
const http = require("node:http")
const notion = require("@notionhq/client")

const ADA = "ada@example.com"
const RETURN = "http://localhost/callback"
const CLIENT = { client_id: "sandbox-client", client_secret: "sandbox-secret" }

const base = process.argv[2].replace(/\/$/, "")

async function control(method, path, body) {
  const answer = await fetch(`${base}/control/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
  })
  const said = await answer.json()
  assert.ok(answer.ok, `${method} ${path}: ${JSON.stringify(said)}`)
  return said
}

/** A client of the sandbox; without `retry` what it is refused is not tried again. */
function client(auth, more = {}) {
  return new notion.Client({
    auth,
    baseUrl: `${base}/notion`,
    notionVersion: "2026-03-11",
    logLevel: notion.LogLevel.ERROR,
    retry: false,
    ...more,
  })
}

/** The consent page as a browser goes through it; the code. */
async function consent(pages) {
  const asked = new URLSearchParams({
    client_id: CLIENT.client_id,
    redirect_uri: RETURN,
    response_type: "code",
    owner: "user",
    state: "s t&te",
  })
  const address = `${base}/notion/v1/oauth/authorize`
  const page = await fetch(`${address}?${asked}`)
  assert.equal(page.status, 200)
  assert.match(await page.text(), /value="ada@example.com"/)
  const form = new URLSearchParams([...asked, ["account", ADA], ["decision", "allow"]])
  if (pages) {
    form.append("picked", "1")
    pages.forEach((id) => form.append("page", id))
  }
  const decided = await fetch(address, { method: "POST", body: form, redirect: "manual" })
  assert.equal(decided.status, 302)
  const answer = new URL(decided.headers.get("location")).searchParams
  assert.equal(answer.get("state"), "s t&te")
  return answer.get("code")
}

async function connect(pages) {
  const code = await consent(pages)
  return client().oauth.token({ grant_type: "authorization_code", code, redirect_uri: RETURN, ...CLIENT })
}

async function refused(promise, code, status) {
  const error = await promise.then(
    () => assert.fail(`${code} is expected`),
    (error) => error,
  )
  assert.equal(error.code, code, String(error))
  assert.equal(error.status, status)
  return error
}

const plain = (pieces) => pieces.map((piece) => piece.plain_text).join("")

async function tokens() {
  const first = await connect()
  for (const field of ["access_token", "refresh_token", "bot_id", "workspace_id"]) assert.equal(typeof first[field], "string", field)
  assert.equal(first.token_type, "bearer")
  assert.equal(first.owner.user.person.email, ADA)
  const anonymous = client()
  const renewed = await anonymous.oauth.token({ grant_type: "refresh_token", refresh_token: first.refresh_token, ...CLIENT })
  assert.notEqual(renewed.refresh_token, first.refresh_token, "it rotates")
  const again = anonymous.oauth.token({ grant_type: "refresh_token", refresh_token: first.refresh_token, ...CLIENT })
  await assert.rejects(again, (error) => error.status === 400)
  const wrong = anonymous.oauth.token({ grant_type: "refresh_token", refresh_token: renewed.refresh_token, client_id: CLIENT.client_id, client_secret: "no" })
  await assert.rejects(wrong, (error) => error.status === 401)
  assert.equal((await anonymous.oauth.introspect({ token: renewed.access_token, ...CLIENT })).active, true)
  await anonymous.oauth.revoke({ token: renewed.access_token, ...CLIENT })
  assert.equal((await anonymous.oauth.introspect({ token: renewed.access_token, ...CLIENT })).active, false)
  await refused(client(renewed.access_token).users.me({}), notion.APIErrorCode.Unauthorized, 401)
}

async function people(api, tokens) {
  const me = await api.users.me({})
  assert.equal(me.type, "bot")
  assert.equal(me.id, tokens.bot_id)
  assert.equal(me.bot.workspace_id, tokens.workspace_id)
  const users = await notion.collectPaginatedAPI(api.users.list, {})
  assert.deepEqual(users.map((user) => user.name).sort(), ["Ada Example", "Bob Example"])
  const ada = users.find((user) => user.person.email === ADA)
  assert.equal((await api.users.retrieve({ user_id: ada.id })).name, "Ada Example")
  assert.ok(users.every((user) => notion.isFullUser(user)))
}

async function documents(api) {
  const found = await notion.collectPaginatedAPI(api.search, {
    sort: { timestamp: "last_edited_time", direction: "descending" },
    page_size: 3,
  })
  const pages = found.filter(notion.isFullPage)
  const sources = found.filter(notion.isFullDataSource)
  assert.equal(pages.length + sources.length, found.length, "everything comes whole")
  assert.equal(sources.length, 1)
  const times = found.map((one) => one.last_edited_time)
  assert.deepEqual(times, [...times].sort().reverse())
  assert.ok(times.every((time) => time.endsWith(":00.000Z")), "times are told to the minute")
  const trashed = await api.search({ filter: { in_trash: true } })
  assert.deepEqual(trashed.results.map((page) => plain(page.properties.title.title)), ["Old plan"])
  assert.equal((await api.pages.retrieve({ page_id: trashed.results[0].id })).in_trash, true)
  const only = await api.search({ filter: { property: "object", value: "data_source" } })
  assert.deepEqual(only.results.map((one) => one.object), ["data_source"])
  assert.equal((await api.search({ query: "handb" })).results.length, 1)

  const handbook = pages.find((page) => plain(page.properties.title?.title ?? []) === "Handbook")
  const same = await api.pages.retrieve({ page_id: handbook.id.replaceAll("-", "") })
  assert.deepEqual({ ...same, request_id: 0 }, { ...handbook, request_id: 0 })
  assert.deepEqual(handbook.icon, { type: "emoji", emoji: "📘" })
  const title = await api.pages.properties.retrieve({ page_id: handbook.id, property_id: "title" })
  assert.equal(title.object, "list")
  assert.equal(title.results[0].title.plain_text, "Handbook")
  const onboarding = pages.find((page) => plain(page.properties.title?.title ?? []) === "Onboarding")
  assert.deepEqual(onboarding.parent, { type: "page_id", page_id: handbook.id })

  const comments = await notion.collectPaginatedAPI(api.comments.list, { block_id: handbook.id })
  assert.deepEqual(comments.map((one) => one.display_name.resolved_name), ["Bob Example", "Ada Example"])
  assert.ok(comments.every(notion.isFullComment))
  await refused(api.pages.retrieve({ page_id: "00000000-0000-4000-8000-000000000001" }), notion.APIErrorCode.ObjectNotFound, 404)
  await refused(api.pages.retrieve({ page_id: sources[0].id }), notion.APIErrorCode.ValidationError, 400)
  return { handbook, source: sources[0] }
}

async function databases(api, source) {
  const database = await api.databases.retrieve({ database_id: source.parent.database_id })
  assert.ok(notion.isFullDatabase(database))
  assert.deepEqual(database.data_sources, [{ id: source.id, name: "Tasks" }])
  const whole = await api.dataSources.retrieve({ data_source_id: source.id })
  assert.deepEqual(Object.keys(whole.properties).sort(), ["Due", "Effort", "Name", "Status", "Tags"])
  const rows = await notion.collectPaginatedAPI(api.dataSources.query, {
    data_source_id: source.id,
    sorts: [{ timestamp: "created_time", direction: "ascending" }],
    page_size: 1,
  })
  assert.equal(rows.length, 3)
  assert.ok(rows.every((row) => row.parent.data_source_id === source.id && notion.isFullPage(row)))
  const lens = rows.find((row) => plain(row.properties.Name.title) === "Clean the lens")
  assert.equal(lens.properties.Status.status.name, "In progress")
  assert.equal(lens.properties.Due.date.start, "2026-12-01")
  const later = await api.dataSources.query({
    data_source_id: source.id,
    filter: { timestamp: "created_time", created_time: { on_or_after: "2100-01-01T00:00:00.000Z" } },
  })
  assert.deepEqual(later.results, [])
  await control("POST", "notion/settings", { queryLimit: 2 })
  const cut = await api.dataSources.query({ data_source_id: source.id })
  assert.equal(cut.results.length, 2)
  assert.deepEqual(cut.request_status, { type: "incomplete", incomplete_reason: "query_result_limit_reached" })
  await control("POST", "notion/settings", { queryLimit: 10000 })
}

/** All blocks below one, depth first. */
async function blocks(api, id, found = []) {
  for await (const block of notion.iteratePaginatedAPI(api.blocks.children.list, { block_id: id, page_size: 40 })) {
    assert.ok(notion.isFullBlock(block))
    assert.equal(typeof block[block.type], "object", block.type)
    found.push(block)
    if (block.has_children && block.type !== "child_page") await blocks(api, block.id, found)
  }
  return found
}

async function content(api, handbook) {
  const of = async (title) => {
    const found = await api.search({ query: title })
    return blocks(api, found.results[0].id)
  }
  const written = await blocks(api, handbook.id)
  assert.deepEqual(
    written.map((block) => block.type),
    ["heading_1", "paragraph", "bulleted_list_item", "bulleted_list_item", "to_do", "to_do", "quote", "child_page"],
  )
  assert.deepEqual(written.filter((block) => block.type === "to_do").map((block) => block.to_do.checked), [true, false])
  const kinds = new Set((await of("Every kind")).map((block) => block.type))
  for (const kind of ["callout", "toggle", "column_list", "column", "synced_block", "equation", "bookmark", "image", "file", "unsupported"]) {
    assert.ok(kinds.has(kind), kind)
  }
  const twice = (await of("Every kind")).filter((block) => block.type === "paragraph" && plain(block.paragraph.rich_text).startsWith("Shared"))
  assert.equal(twice.length, 2, "a synced copy holds what its original holds")
  assert.equal((await of("Log")).length, 250)
  const first = await api.blocks.children.list({ block_id: handbook.id, page_size: 1 })
  assert.equal((await api.blocks.retrieve({ block_id: first.results[0].id })).type, "heading_1")
  await control("POST", "notion/expire-cursors")
  const late = api.blocks.children.list({ block_id: handbook.id, start_cursor: first.next_cursor })
  await refused(late, notion.APIErrorCode.ValidationError, 400)
}

async function picked(handbook) {
  const api = client((await connect([handbook.id])).access_token)
  const found = await notion.collectPaginatedAPI(api.search, {})
  assert.deepEqual(found.map((page) => plain(page.properties.title.title)).sort(), ["First day", "Handbook", "Onboarding"])
  await control("POST", "notion/settings", { capabilities: { readContent: true, readComments: false, readUsers: true, readEmails: true } })
  await refused(api.comments.list({ block_id: handbook.id }), notion.APIErrorCode.RestrictedResource, 403)
  await control("POST", "notion/settings", { capabilities: { readContent: true, readComments: true, readUsers: true, readEmails: true } })
}

async function limits(api, token) {
  await control("POST", "faults", { kind: "rateLimit", times: 1, match: { operation: "search" } })
  const limited = await refused(api.search({}), notion.APIErrorCode.RateLimited, 429)
  assert.equal(limited.headers.get("retry-after"), "1")
  await control("POST", "faults", { kind: "status", status: 503, times: 1, match: { operation: "search" } })
  await refused(api.search({}), notion.APIErrorCode.ServiceUnavailable, 503)
  await control("POST", "faults", { kind: "rateLimit", times: 1, retryAfter: 0, match: { operation: "search" } })
  const patient = client(token, { retry: undefined })
  assert.ok((await patient.search({ page_size: 1 })).results.length === 1, "the client waits and tries again")
}

/** A server that collects what it is sent and answers with the statuses given, then 200. */
async function receiver(statuses = []) {
  const seen = []
  const waiting = []
  const server = http.createServer((request, response) => {
    const pieces = []
    request.on("data", (piece) => pieces.push(piece))
    request.on("end", () => {
      response.writeHead(statuses.shift() ?? 200).end()
      const one = { headers: request.headers, body: Buffer.concat(pieces).toString("utf8") }
      const next = waiting.shift()
      if (next) next(one)
      else seen.push(one)
    })
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    next: () => (seen.length ? Promise.resolve(seen.shift()) : new Promise((resolve) => waiting.push(resolve))),
    close: () => server.close(),
  }
}

async function webhooks(handbook) {
  const hook = await receiver([200, 503])
  await control("POST", "notion/settings", { webhookRetryMs: 20 })
  await control("POST", "notion/hook", { url: hook.url, secret: "secret_test", offer: true })
  const offer = await hook.next()
  assert.deepEqual(JSON.parse(offer.body), { verification_token: "secret_test" })
  assert.equal(offer.headers["x-notion-signature"], undefined)

  await control("PATCH", `notion/pages/${handbook.id}`, { account: ADA, text: "New words." })
  const [refusedOne, retried] = [await hook.next(), await hook.next()]
  const [first, second] = [JSON.parse(refusedOne.body), JSON.parse(retried.body)]
  assert.equal(first.id, second.id)
  assert.deepEqual([first.attempt_number, second.attempt_number], [1, 2])
  for (const { headers, body } of [refusedOne, retried]) {
    const verify = (verificationToken) =>
      notion.verifyWebhookSignature({ body, signature: headers["x-notion-signature"], verificationToken })
    assert.equal(await verify("secret_test"), true)
    assert.equal(await verify("secret_other"), false)
  }
  assert.equal(first.type, "page.content_updated")
  assert.deepEqual(first.entity, { id: handbook.id, type: "page" })
  assert.equal(first.data.parent.type, "space")

  await control("PATCH", `notion/pages/${handbook.id}`, { account: ADA, trashed: true })
  assert.equal(JSON.parse((await hook.next()).body).type, "page.deleted")
  await control("PATCH", `notion/pages/${handbook.id}`, { account: ADA, trashed: false })
  assert.equal(JSON.parse((await hook.next()).body).type, "page.undeleted")
  await control("POST", "notion/comments", { account: ADA, page: handbook.id, text: "Good." })
  const comment = JSON.parse((await hook.next()).body)
  assert.deepEqual([comment.type, comment.data.page_id], ["comment.created", handbook.id])
  hook.close()
}

async function main() {
  await control("POST", "reset", { demo: true })
  await tokens()
  const granted = await connect()
  const api = client(granted.access_token)
  await people(api, granted)
  const { handbook, source } = await documents(api)
  await databases(api, source)
  await content(api, handbook)
  await limits(api, granted.access_token)
  await webhooks(handbook)
  await picked(handbook)
  console.log("all checks passed")
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
