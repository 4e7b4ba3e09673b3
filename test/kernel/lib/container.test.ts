import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { ConfigError } from '../../../src/kernel/config/config-error.ts'
import { ephemeralReason } from '../../../src/kernel/lib/container.ts'
import { loadConfig } from '../../../src/settings/config.ts'

/** As a pod of Kubernetes with containerd has them; the volumes differ. */
const MOUNTS = `600 500 0:50 / / ro,relatime master:1 - overlay overlay ro,lowerdir=/a
610 600 259:1 /var/lib/kubelet/pods/1b2c/volumes/kubernetes.io~empty-dir/data /data rw,relatime - ext4 /dev/root rw
620 600 259:2 / /claim rw,relatime - ext4 /dev/nvme1n1 rw
630 600 0:60 / /memory rw,relatime - tmpfs tmpfs rw
640 600 0:61 / /claim/memory rw,relatime - tmpfs tmpfs rw`

describe('A data folder in a container', () => {
  for (const [folder, reason] of [
    ['/data', /emptyDir/],
    ['/data/below', /emptyDir/],
    ['/database', /layer of the container/],
    ['/memory', /memory/],
    ['/claim/memory/x', /memory/],
    ['/claim', null],
    ['/claim/data', null],
  ] as const)
    test(`${folder} ${reason ? 'is known to be lost with the container' : 'is on a persistent volume'}`, () => {
      const found = ephemeralReason(folder, MOUNTS)
      if (reason) assert.match(String(found), reason)
      else assert.equal(found, null)
    })

  test('is not reported where the system gives no information', () => assert.equal(ephemeralReason('/data', ''), null))
})

test('the example Kubernetes secret is refused unchanged, naming each value', () => {
  const file = new URL('../../../deploy/kubernetes/secret.example.yaml', import.meta.url)
  const { stringData } = parse(readFileSync(file, 'utf8'))
  assert.throws(
    () => loadConfig({ NODE_ENV: 'production', ...stringData }),
    (error) => {
      assert.ok(error instanceof ConfigError)
      for (const name of ['APP_SECRET', 'DATABASE_URL', 'SMTP_URL'])
        assert.ok(
          error.faults.some((fault) => fault.startsWith(`${name}`)),
          name,
        )
      return true
    },
  )
})
