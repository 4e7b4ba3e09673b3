// Loaded into a server with NODE_OPTIONS=--import: lets a test cause an uncaught exception.
process.on('SIGUSR2', () => {
  setImmediate(() => {
    throw new Error('injected')
  })
})
