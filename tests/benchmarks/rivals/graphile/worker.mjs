// Works off jobs with graphile-worker, each of which leaves a row in public.left_rows, and prints the seconds.
// node worker.mjs JOBS CONCURRENCY
import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";

const ADD = `
  select count(*) from graphile_worker.add_jobs(array(
    select json_populate_record(null::graphile_worker.job_spec,
      json_build_object('identifier', 'leave_row', 'payload', json_build_object('id', n)))
    from generate_series(1, $1) as n))`;

const [jobs, concurrency] = process.argv.slice(2).map(Number);
const pool = new pg.Pool({ max: concurrency + 2 });
pool.on("error", (error) => { throw error; });
pool.on("connect", (client) => client.on("error", (error) => { throw error; }));
await runMigrations({ pgPool: pool });
await pool.query(ADD, [jobs]);

let left = jobs;
let end;
const ended = new Promise((resolve) => { end = resolve; });
const began = performance.now();
const runner = await run({
  pgPool: pool,
  noHandleSignals: true,
  logger: new Logger(() => () => {}),
  // Its fastest settings: jobs are fetched and completed by batches.
  preset: { worker: {
    concurrentJobs: concurrency, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0,
  } },
  taskList: {
    leave_row: async ({ id }, { query }) => {
      await query("insert into public.left_rows (asset_id) values ($1)", [id]);
      left -= 1;
      if (left === 0) end();
    },
  },
});
await ended;
const seconds = (performance.now() - began) / 1000;
await runner.stop();
await pool.end();
console.log(seconds);
