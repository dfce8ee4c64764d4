/** A DynamoDB (dynalite) in a process of its own, so that it can be killed: `node dynamodb-process.ts FOLDER PORT`. */
import dynalite from 'dynalite';

const [folder, port] = process.argv.slice(2);
const options = { path: folder, createTableMs: 0 };
dynalite(options).listen(Number(port), '127.0.0.1', () => process.stdout.write('dynamodb is ready\n'));
