"""Google's own client against an HTTP stand-in: what it answers, and what its errors become."""

import pytest

from orchestration.provision.cloud.clients.compute import Google, GoogleError, Quota, Resource


@pytest.fixture
def google(compute):
    return Google("lab", compute.endpoint)


def test_quotas_of_the_region_and_of_all(compute, google):
    compute.quotas = {
        "us-central1": [{"metric": "N2_CPUS", "limit": 24, "usage": 3}],
        "": [{"metric": "CPUS_ALL_REGIONS", "limit": 12, "usage": 0}],
    }
    assert google.quotas("us-central1") == {"N2_CPUS": Quota(24, 3), "CPUS_ALL_REGIONS": Quota(12, 0)}


@pytest.mark.parametrize(
    ("status", "message", "reason", "words"),
    [
        (403, "Compute Engine API has not been used in project 1 before or it is disabled", "accessNotConfigured",
         "gcloud services enable compute.googleapis.com"),
        (403, "Required 'compute.regions.get' permission for 'x'", "forbidden", "ask for the role Compute Admin"),
        (403, "Quota 'CPUS' exceeded. Limit: 8.0 in region x.", "quotaExceeded", "ask Google for more quota"),
        (404, "The resource 'projects/lab' was not found", "notFound", "404 The resource 'projects/lab' was not found"),
        (400, "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': 'projects/p/global/images/x'. "
         "The referenced image resource cannot be found.", "invalid", "that image is gone: set convscale:image to one"),
        (404, "The resource 'projects/p/global/images/x' was not found", "notFound", "that image is gone: set"),
        (401, "Invalid Credentials", "authError", "gcloud auth application-default login"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_what_to_do(compute, google, status, message, reason, words):
    compute.fail(status, message, reason)
    with pytest.raises(GoogleError) as error:
        google.quotas("us-central1")
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert "http://" not in str(error.value)


def test_a_moments_trouble_is_waited_out(compute, google):
    compute.fail(503, "busy", "backendError", times=2)
    assert google.quotas("us-central1") == {}
    assert len(compute.asked) == 4


def test_nobody_listens():
    with pytest.raises(GoogleError, match="is this machine online"):
        Google("lab", "http://127.0.0.1:9").quotas("us-central1")


def test_no_credentials_on_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(GoogleError, match="no credentials for Google: log in"):
        Google("lab").quotas("us-central1")


def test_no_project():
    with pytest.raises(GoogleError, match="no project is named"):
        Google(None, "http://127.0.0.1:9").quotas("us-central1")


def test_a_name_is_ours_by_its_beginning_alone(compute, google):
    for name in ("convscale-fat-node1", "convscale-fatter-node1", "convscale-fat", "other-convscale-fat-node1"):
        compute.put(f"zones/us-central1-a/disks/{name}", status="READY")
    assert google.resources("convscale-fat-") == [
        Resource("disk", "convscale-fat-node1", "us-central1-a", "2026-11-23T02:00:00.000-00:00", "READY")
    ]


def test_deleting_what_is_gone_is_no_error(compute, google):
    google.delete(Resource("network", "convscale-fat-network", "", ""))
    compute.put("global/networks/n")
    compute.put("regions/r/routers/x", uses=["global/networks/n"])
    with pytest.raises(GoogleError, match="already being used"):
        google.delete(Resource("network", "n", "", ""))


def test_the_last_words_of_a_console(compute, google):
    compute.consoles["node"] = "boot\n\x1b[31mpip: no space left on device\x1b[0m\n\n"
    assert google.last_words("z", "node") == "pip: no space left on device"
    compute.fail(403, "no")
    assert google.last_words("z", "node") == ""
