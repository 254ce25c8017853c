// By `--import`: keeps what a program has compiled of the libraries when it ends.
import { keepCompiled } from '../dist/program/load-libraries.js';

process.once('exit', keepCompiled);
