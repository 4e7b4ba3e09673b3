#!/usr/bin/env node
// Plain JavaScript, so that an old Node can read it and say what it needs instead of failing on the first type.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(
    `bukhindor needs Node.js 24.12 or newer and was started with ${process.version}. ` +
      'Start it with "npm start", other commands with "npm run -s bukhindor -- COMMAND": both use the Node.js that npm installed for it.\n',
  )
  process.exit(1)
}
// V8 would allocate objects of requests among the long-lived ones when a few of them have lived long, and then keep most of
// each request until the next full collection: docs/decisions/0034.
const { setFlagsFromString } = await import('node:v8')
setFlagsFromString('--no-allocation-site-pretenuring')
await keepCompiledCode()
await import('../src/main.ts')

/**
 * Code stripped of its types is kept between starts, which shortens them. What is kept is run, so
 * it lies in a folder that nobody else can write, or nowhere: Node's own place for it belongs to whoever came first.
 */
async function keepCompiledCode() {
  const [{ mkdirSync, lstatSync }, { enableCompileCache }, { tmpdir }, { join }] = await Promise.all([
    import('node:fs'),
    import('node:module'),
    import('node:os'),
    import('node:path'),
  ])
  const user = process.getuid?.()
  const folder = join(tmpdir(), `bukhindor-${user ?? 'cache'}`)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { uid, mode } = lstatSync(folder)
    const isOurs = user === undefined || (uid === user && (mode & 0o077) === 0)
    if (isOurs) enableCompileCache(folder)
  } catch {} // a folder that cannot be made: then it starts as slowly as the first time
}
