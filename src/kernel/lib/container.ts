import { readFileSync } from 'node:fs'

/**
 * Why what is written to a folder does not outlive the container, as far as the system tells (Linux only); null where it
 * does, or nothing is known. `mountinfo` is what `/proc/self/mountinfo` says (proc(5)).
 */
export function ephemeralReason(folder: string, mountinfo = readMounts()): string | null {
  let best: { point: string; root: string; type: string } | undefined
  for (const line of mountinfo.split('\n')) {
    const [, , , root = '', point = ''] = line.split(' ')
    const [type = ''] = (line.split(' - ')[1] ?? '').split(' ')
    const isAbove = point === '/' || folder === point || folder.startsWith(`${point}/`)
    // Of several mounts on one point the last one shows.
    if (point && isAbove && point.length >= (best?.point.length ?? 0)) best = { point, root, type }
  }
  if (!best) return null
  if (best.root.includes('kubernetes.io~empty-dir')) return 'an emptyDir, gone with its pod'
  if (best.type === 'overlay') return 'a layer of the container, gone with it'
  if (best.type === 'tmpfs') return 'memory'
  return null
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}
