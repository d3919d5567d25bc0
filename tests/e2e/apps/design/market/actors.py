from greenroom.actors import Actor


class Ticker(Actor):
    pass
