// What the sandbox answers, checked by the TypeScript compiler against the types of Notion's own client.
//
//     NODE_PATH=<node_modules with @notionhq/client and typescript> node notion_types.js http://localhost:4600
//
// Reads the sample content through plain HTTP, writes every answer down as a constant of the type that the client gives it, and has
// the compiler say what does not fit: a field that is missing, one too many, another type. Webhooks are checked too. Resets the
// sandbox to its sample content first. Ends with a non-zero code when something does not fit.
"use strict"

const assert = require("node:assert/strict")
const fs = require("node:fs")
const http = require("node:http")
const os = require("node:os")
const path = require("node:path")
const ts = require("typescript")

const RETURN = "http://localhost/callback"
const base = process.argv[2].replace(/\/$/, "")
const modules = process.env.NODE_PATH
const constants = []

/** An answer as a constant of a type. Every answer has a `request_id`, which only some of the types name. */
function noted(type, value) {
  const { request_id: _, ...rest } = value
  constants.push(`const _${constants.length}: notion.${type} = ${JSON.stringify(rest, null, 1)}`)
  return value
}

async function control(method, where, body) {
  const answer = await fetch(`${base}/control/${where}`, {
    method,
    headers: { "content-type": "application/json" },
    body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
  })
  assert.ok(answer.ok, `${method} ${where}: ${answer.status}`)
  return answer.json()
}

async function tokens() {
  const asked = { client_id: "sandbox-client", redirect_uri: RETURN, response_type: "code", owner: "user" }
  const form = new URLSearchParams({ ...asked, account: "ada@example.com", decision: "allow" })
  const authorize = `${base}/notion/v1/oauth/authorize`
  const decided = await fetch(authorize, { method: "POST", body: form, redirect: "manual" })
  const code = new URL(decided.headers.get("location")).searchParams.get("code")
  const basic = Buffer.from("sandbox-client:sandbox-secret").toString("base64")
  const answer = await fetch(`${base}/notion/v1/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${basic}`, "content-type": "application/json" },
    body: JSON.stringify({ grant_type: "authorization_code", code, redirect_uri: RETURN }),
  })
  return answer.json()
}

async function read(token) {
  const call = async (method, where, body) => {
    const answer = await fetch(`${base}/notion/v1/${where}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "notion-version": "2026-03-11", "content-type": "application/json" },
      body: body && JSON.stringify(body),
    })
    assert.ok(answer.ok, `${method} ${where}: ${answer.status}`)
    return answer.json()
  }
  noted("GetSelfResponse", await call("GET", "users/me"))
  const users = noted("ListUsersResponse", await call("GET", "users"))
  noted("GetUserResponse", await call("GET", `users/${users.results[0].id}`))
  const found = noted("SearchResponse", await call("POST", "search", {}))
  noted("SearchResponse", await call("POST", "search", { filter: { in_trash: true } }))
  for (const one of found.results) {
    if (one.object === "data_source") {
      noted("GetDataSourceResponse", await call("GET", `data_sources/${one.id}`))
      noted("GetDatabaseResponse", await call("GET", `databases/${one.parent.database_id}`))
      noted("QueryDataSourceResponse", await call("POST", `data_sources/${one.id}/query`, {}))
      continue
    }
    noted("GetPageResponse", await call("GET", `pages/${one.id}`))
    for (const property of Object.values(one.properties)) {
      noted("GetPagePropertyResponse", await call("GET", `pages/${one.id}/properties/${property.id}`))
    }
    noted("ListCommentsResponse", await call("GET", `comments?block_id=${one.id}`))
    const below = [one.id]
    while (below.length) {
      const list = noted("ListBlockChildrenResponse", await call("GET", `blocks/${below.pop()}/children?page_size=30`))
      noted("GetBlockResponse", list.results[0] ? await call("GET", `blocks/${list.results[0].id}`) : { object: "block", id: "" })
      below.push(...list.results.filter((block) => block.has_children && block.type !== "child_page").map((block) => block.id))
    }
  }
  return found.results.find((one) => one.object === "page" && one.parent.type === "workspace").id
}

/** Has everything announced that the sandbox announces. */
async function announced(page) {
  const bodies = []
  let more = () => {}
  const server = http.createServer((request, response) => {
    const pieces = []
    request.on("data", (piece) => pieces.push(piece))
    request.on("end", () => {
      bodies.push(JSON.parse(Buffer.concat(pieces).toString("utf8")))
      response.writeHead(200).end()
      more()
    })
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  await control("POST", "notion/hook", { url: `http://127.0.0.1:${server.address().port}/` })
  const account = "ada@example.com"
  await control("PATCH", `notion/pages/${page}`, { account, text: "Other words.", title: "Another title" })
  await control("PATCH", `notion/pages/${page}`, { account, trashed: true })
  await control("PATCH", `notion/pages/${page}`, { account, trashed: false })
  await control("POST", "notion/comments", { account, page, text: "Good." })
  const made = await control("POST", "notion/pages", { account, title: "Made", text: "New." })
  await control("PATCH", `notion/pages/${made.id}`, { account, parent: page })
  const { dataSource } = await control("POST", "notion/databases", { account, title: "More" })
  await control("PATCH", `notion/pages/${dataSource}`, { account, title: "More of it" })
  const types = {
    "page.content_updated": "PageContentUpdatedWebhookPayload",
    "page.properties_updated": "PagePropertiesUpdatedWebhookPayload",
    "page.deleted": "PageDeletedWebhookPayload",
    "page.undeleted": "PageUndeletedWebhookPayload",
    "page.created": "PageCreatedWebhookPayload",
    "page.moved": "PageMovedWebhookPayload",
    "comment.created": "CommentCreatedWebhookPayload",
    "database.created": "DatabaseCreatedWebhookPayload",
    "data_source.created": "DataSourceCreatedWebhookPayload",
    "data_source.schema_updated": "DataSourceSchemaUpdatedWebhookPayload",
  }
  const missing = () => Object.keys(types).filter((type) => !bodies.some((body) => body.type === type))
  while (missing().length) {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`nothing came about ${missing()}`)), 10_000).unref())
    await Promise.race([new Promise((resolve) => (more = resolve)), late])
  }
  bodies.forEach((body) => noted(types[body.type], body))
  server.close()
}

function compiled() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "notion-types-"))
  const file = path.join(folder, "answers.ts")
  fs.writeFileSync(file, `import * as notion from "@notionhq/client"\n${constants.join("\n")}\n`)
  const options = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    baseUrl: modules,
    paths: { "*": ["*"] },
    types: [],
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
  }
  const program = ts.createProgram([file], options)
  const wrong = ts.getPreEmitDiagnostics(program)
  fs.rmSync(folder, { recursive: true })
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => folder, getNewLine: () => "\n" }
  return wrong.map((one) => ts.formatDiagnostic(one, host))
}

async function main() {
  await control("POST", "reset", { demo: true })
  const granted = await tokens()
  constants.push(`const granted: notion.OauthTokenResponse = ${JSON.stringify(granted)}`)
  await announced(await read(granted.access_token))
  const wrong = compiled()
  wrong.slice(0, 10).forEach((one) => console.error(one))
  assert.equal(wrong.length, 0, `${wrong.length} of ${constants.length} answers do not fit their types`)
  console.log(`all ${constants.length} answers fit`)
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
