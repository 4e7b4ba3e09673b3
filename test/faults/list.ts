import { backup } from './backup.ts'
import { bodies, longStrings } from './bodies.ts'
import { clockJump } from './clock-jump.ts'
import { demoted } from './demoted.ts'
import { diskFull } from './disk-full.ts'
import { failover } from './failover.ts'
import { fsync } from './fsync.ts'
import { killPostgres, killSqlite } from './kill.ts'
import { mailDown } from './mail-down.ts'
import { network } from './network.ts'
import { loginFlood, overload } from './overload.ts'
import { patroni } from './patroni.ts'
import { pgbouncer } from './pgbouncer.ts'
import { pool } from './pool.ts'
import { postgresRestart } from './postgres-restart.ts'
import { edits, refreshes, registrations, resetToken } from './races.ts'
import { sigterm } from './sigterm.ts'
import { slowClients } from './slow-clients.ts'
import { slowDatabase } from './slow-database.ts'
import { abandonedDownload, slowReader } from './slow-reader.ts'
import type { Fault } from './support/fault.ts'
import { upgrade } from './upgrade.ts'

/** Every fault, in the order of the table. */
export const FAULTS: Fault[] = [
  killSqlite,
  killPostgres,
  fsync,
  postgresRestart,
  failover,
  demoted,
  slowDatabase,
  diskFull,
  clockJump,
  pool,
  sigterm,
  upgrade,
  pgbouncer,
  patroni,
  overload,
  loginFlood,
  slowClients,
  slowReader,
  abandonedDownload,
  bodies,
  longStrings,
  registrations,
  refreshes,
  network,
  resetToken,
  edits,
  mailDown,
  backup,
]
