#!/usr/bin/env node
// Plain JavaScript, so that an old Node can read it and say what it needs instead of failing on the first type.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(
    `bukhindor needs Node.js 24.12 or newer and was started with ${process.version}. ` +
      'Start it with "npm start" or "npx bukhindor": both use the Node.js that npm installed for it.\n',
  )
  process.exit(1)
}
// Compiled code, stripped of its types, is kept between starts: it halves the time to the first request.
const { enableCompileCache } = await import('node:module')
enableCompileCache()
await import('../src/main.ts')
