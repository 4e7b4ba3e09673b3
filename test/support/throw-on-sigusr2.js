// Loaded into a server by NODE_OPTIONS=--import: lets a test throw where nobody catches it.
process.on('SIGUSR2', () => {
  setImmediate(() => {
    throw new Error('injected')
  })
})
