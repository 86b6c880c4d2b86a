"""From where the portal may be reached, through the whole stack: by update_workforce, and by the parameter of the stack."""

from portal import signed_in
from stack import Stack, check, equal, http, refused, until

OURS, OTHERS = ["127.0.0.0/8", "::1/128"], ["203.0.113.0/24", "2001:db8::/32"]
FORGED = [{}, {"x_forwarded_for": "203.0.113.7"},
          {"x_forwarded_for": "203.0.113.7", "forwarded": "for=203.0.113.7", "x_real_ip": "203.0.113.7"}]


@check("SageMaker: update_workforce shuts the portal to other networks, whatever a header says; so does the parameter")
def blocked_network(stack):
    def with_parameter(*networks):
        return Stack(stack.binary, f"{stack.state_dir}-networks", FeedbackBufferSeconds=1, AllowedReviewNetworks=",".join(networks))

    def statuses(cookie):
        """What a stranger and a reviewer get, with honest headers and forged ones."""
        return [http(own.portal_url + path, **headers, **more).status for headers in FORGED[:2]
                for path, more in [("", {}), ("sign-in", {}), ("next", {"cookie": cookie})]]

    with with_parameter(*OURS) as own:
        sagemaker, cookie = own.client("sagemaker"), signed_in(own, "ann")
        reachable = statuses(cookie)
        assert 404 not in reachable and reachable[0] == 401, reachable

        def allow(*cidrs):
            changed = sagemaker.update_workforce(WorkforceName="default", SourceIpConfig={"Cidrs": list(cidrs)})
            equal(changed["Workforce"]["SourceIpConfig"]["Cidrs"], list(cidrs))

        allow(*OTHERS)
        equal(sagemaker.describe_workforce(WorkforceName="default")["Workforce"]["SourceIpConfig"], {"Cidrs": OTHERS})
        # Networks that were read are trusted for half a minute, in each process for itself.
        until("404 for all", lambda: all(set(statuses(cookie)) == {404} for _ in range(3)))
        for headers in FORGED:
            equal(http(own.portal_url, **headers).status, 404, f"with {headers}")
        refused("ValidationException", 400, sagemaker.update_workforce, WorkforceName="default",
                SourceIpConfig={"Cidrs": ["the office"]})
        equal(set(statuses(cookie)), {404}, "after a network that is none")
        allow(*OURS)
        until("our network's way back", lambda: statuses(cookie) == reachable)
        allow()
        until("everybody's way back", lambda: statuses(cookie) == reachable)
    equal(own.process.returncode, 0, "exit code on SIGINT")

    with with_parameter(*OTHERS) as own:
        equal(set(statuses(cookie)), {404}, "with a parameter that leaves our network out")
        classified = own.api("classify", {"classifier": "news", "sentence": "The APIs are not the portal"})
        equal(classified.status, 200, "the APIs are not the portal")
    with with_parameter() as own:
        equal(statuses(cookie), reachable, "without the parameter")
