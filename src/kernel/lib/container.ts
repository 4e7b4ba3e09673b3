import { readFileSync } from 'node:fs'

/**
 * Returns why files in a folder are lost with the container; null if they persist or this is unknown. Linux only.
 * @param mountinfo content of `/proc/self/mountinfo` (proc(5))
 */
export function ephemeralReason(folder: string, mountinfo = readMounts()): string | null {
  let closest: { point: string; root: string; type: string } | undefined
  for (const line of mountinfo.split('\n')) {
    const [, , , root = '', point = ''] = line.split(' ')
    const [type = ''] = (line.split(' - ')[1] ?? '').split(' ')
    const isAbove = point === '/' || folder === point || folder.startsWith(`${point}/`)
    // The last of several mounts on one point is the visible one.
    if (point && isAbove && point.length >= (closest?.point.length ?? 0)) closest = { point, root, type }
  }
  if (!closest) return null
  if (closest.root.includes('kubernetes.io~empty-dir')) return 'an emptyDir, gone with its pod'
  if (closest.type === 'overlay') return 'a layer of the container, gone with it'
  if (closest.type === 'tmpfs') return 'memory'
  return null
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}
