import { setTimeout as sleep } from 'node:timers/promises'
import { engineNames } from '../lib/bench.ts'
import { type Sample, type Scenario, summarise } from '../lib/results.ts'

const starts = 7

export const start: Scenario = {
  name: 'start',
  about: 'from the command to the first ready answer, and the memory of a server that has nothing to do',
  async run(bench) {
    const times = new Map<string, Sample[]>()
    const memory = new Map<string, Sample[]>()
    for (const engine of bench.engines) {
      const first: Sample[] = []
      const later: Sample[] = []
      const resting: Sample[] = []
      for (let round = 0; round < starts; round++) {
        const data = await bench.database(engine)
        first.push({ value: (await bench.server(data)).readyAfter })
        await bench.stopServers()
        const server = await bench.server(data)
        later.push({ value: server.readyAfter })
        await sleep(2000)
        resting.push({ value: server.memory() })
        await bench.stopServers()
      }
      times.set(`${engineNames[engine]}, migrated`, later)
      times.set(`${engineNames[engine]}, empty`, first)
      memory.set(`at rest, ${engineNames[engine]}`, resting)
    }
    return [
      { title: `Start to ready, ${starts} starts`, unit: 'ms', aim: 'under 250 ms', rows: summarise(times) },
      { title: 'Resident memory 2 s after the start', unit: 'MiB', aim: 'under 90 MiB', rows: summarise(memory) },
    ]
  },
}
