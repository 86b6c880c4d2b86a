#!/usr/bin/env python3
"""Checks a real stack with the clients that people have: boto3, the AWS CLI and plain HTTP.

Usage: clients.py BINARY STATE_DIR. Prints a line for each check; exits 0 if all passed.
"""

import sys

import stack
import aws_services  # noqa: F401  Its checks come first: they expect no other human loops.
import a2i_notebooks  # noqa: F401
import labelling_jobs  # noqa: F401
import networks  # noqa: F401
import feedback_loop  # noqa: F401
import looking  # noqa: F401
import hosted_model  # noqa: F401
import new_models  # noqa: F401


def main():
    binary, state_dir = sys.argv[1:]
    parameters = {"FeedbackBufferSeconds": 1, "AuditSampleRate": 0, "PoolTextsInReview": 0, "UsagePlanMonthlyQuota": 100_000,
                  "ComprehendClassificationScoreThreshold": 0.7}
    with stack.Stack(binary, state_dir, **parameters) as running:
        code = stack.run_checks(running)
    if running.process.returncode != 0:
        print(f"the stack ended with {running.process.returncode} on SIGINT")
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
