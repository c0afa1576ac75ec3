"""Pages and HTTP: the mesh landmark picker and the detectors' service, both guarded against other sites."""
