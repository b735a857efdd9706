// tap.mjs - prints lines in the manner of TAP and sets the exit code.
// Promises: every check runs, also after one that failed; no value of a key is ever printed.

const checks = [];

export function check(name, run) {
  checks.push({ name, run });
}

// Runs what was registered: all, or those named; then prints the plan.
export async function runChecks(names = []) {
  const known = new Set(checks.map(({ name }) => name));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    console.log(`Bail out! no such check: ${unknown.join(', ')}; there are: ${[...known].join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const chosen = names.length > 0 ? checks.filter(({ name }) => names.includes(name)) : checks;
  let failed = 0;
  for (const [index, { name, run }] of chosen.entries()) {
    try {
      await run();
      console.log(`ok ${index + 1} - ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${index + 1} - ${name}`);
      const text = `${error.constructor.name} ${error.statusCode ?? ''} ${error.code ?? ''}: ${error.message}`;
      text.split('\n').forEach((line) => console.log(`# ${line}`));
    }
  }
  console.log(`1..${chosen.length}`);
  process.exitCode = failed > 0 ? 1 : 0;
}
